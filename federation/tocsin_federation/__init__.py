"""What two hubs need to exchange their logs."""
