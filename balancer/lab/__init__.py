"""Planning for clusters that are not there: recorded load replayed, planners compared, changes assumed."""
