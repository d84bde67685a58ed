"""What people attested: documents, sign-offs, registers, incidents."""
