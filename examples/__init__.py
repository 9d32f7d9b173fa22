"""Programs to read and to copy from: what stands on the other side of this service's contracts."""
