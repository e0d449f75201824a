"""What makes a stream, and what is told on it. Pure: same input and same instant, same answer."""
