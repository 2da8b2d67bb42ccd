"""What several replicas share through Redis: tokens, the request budget, kept answers.

Only `opening` is imported from outside, and only where REDIS_URL is set: Redis' client takes a while to import.
"""
