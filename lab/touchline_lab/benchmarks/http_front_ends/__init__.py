"""What an HTTP front end costs: the gateway beside Celery's own results and a bare background task."""
