"""What tests of connectors and sync types are made with, in this repository and in others."""
