"""What has to hold of loaded rows and of days."""
