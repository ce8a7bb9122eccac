"""The small core that the twin and the control plane share."""

from skyweave.policy.reasons import REASONS, SERVED, Reason, reason_names

__all__ = ["REASONS", "SERVED", "Reason", "reason_names"]
