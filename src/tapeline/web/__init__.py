"""What people see: the API of a node, and the page that shows it working."""
