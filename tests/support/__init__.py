"""What tests share: builders, fakes, launchers. No assertions live here."""
