"""Whether a gateway's installation works, and what to do about each thing that does not.

Here: the checks. Not here: what an installation consists of (hall_tools.gateway_setup), output and
exit codes (commands).
"""
