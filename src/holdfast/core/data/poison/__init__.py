"""Signs that training rows were planted: wrong labels, value combinations that force a class, copies, odd slices.

Rows and labels are enough; no model file is read.
"""
