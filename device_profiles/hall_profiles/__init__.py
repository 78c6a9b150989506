"""Device profiles: one YAML file a device model, loaded, checked and compiled."""
