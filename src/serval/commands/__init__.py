"""One module for each command: flags -> one library call -> print."""
