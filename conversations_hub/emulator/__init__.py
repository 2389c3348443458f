"""The four APIs, faked on loopback over real HTTP."""
