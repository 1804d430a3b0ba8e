"""DRS-style load balancing for vSphere clusters."""
