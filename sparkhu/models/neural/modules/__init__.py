"""The modules of the neural forecasters; importing one of them imports torch."""
