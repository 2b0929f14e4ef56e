"""The fault campaign: a real collector between faulty links, killed at will, and what is billed in the end."""
