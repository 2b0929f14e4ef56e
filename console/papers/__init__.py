"""Statements and receipts on paper: one description of the page, written as HTML and as PDF, in two languages."""
