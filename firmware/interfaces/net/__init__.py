"""What the network role knows of the machine's network: adapters, addresses, names. It looks, and changes nothing."""
