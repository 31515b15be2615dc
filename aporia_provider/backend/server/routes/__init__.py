"""Routes of the protocol, one module for each kind of resource."""
