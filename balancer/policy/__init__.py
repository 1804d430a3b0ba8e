"""What is wanted: the typed form of `policies/*.yaml`, its strict loader, and the objective it sets."""
