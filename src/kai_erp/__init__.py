"""One question in place of six API calls to an Infor SyteLine / CloudSuite Industrial ERP."""

__version__ = "0.1.0"
