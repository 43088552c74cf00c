"""Scripts for people who work on the project, and what tests take from them."""
