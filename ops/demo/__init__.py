"""The demonstration: traffic, faults and a balance sheet on real servers."""
