"""From how many minutes on a delay counts."""

DELAYED_MINUTES = 15
"""From which delay on a flight is delayed. For the US Department of Transportation a flight is on time that
operated "less than 15 minutes after the scheduled time"; cancelled and diverted ones "are counted as late":
http://airconsumer.ost.dot.gov/reports/delay.htm"""
