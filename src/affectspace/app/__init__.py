"""What people use a space through: the explorer page, and the service that answers."""
