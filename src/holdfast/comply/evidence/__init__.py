"""Evidence: queries over what is really stored, each piece dated and with its leaf in the ledger."""
