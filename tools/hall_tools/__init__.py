"""The `hall` command and what it needs: simulation, demo, and the installer's tools."""
