"""plan -> read -> compare -> drill -> report: the only orchestration, one file per verb."""
