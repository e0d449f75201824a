"""People who sign in to the console: how they prove who they are, for how long it holds, and what they may do."""
