"""What the board's proceedings are judged by. Pure: same input and same instant, same answer."""
