"""Duties and evidence: clauses as data, what applies to a model, what proves it, packs for auditors."""
