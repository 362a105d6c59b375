"""Pools: their map, their domains, the SPM and what belongs to its role."""
