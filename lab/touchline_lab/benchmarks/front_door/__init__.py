"""What a front door costs: the gateway beside Celery's own results and a bare background task."""
