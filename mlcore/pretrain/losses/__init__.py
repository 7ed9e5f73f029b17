"""What pretraining minimises: one paper a file, each term a function. `vnibcreg.loss_terms` puts them together."""
