"""The business questions that kai-erp answers."""

from kai_erp.connectors.base import BaseConnector, ConnectorResult, Moment, Sources
from kai_erp.connectors.bedrock_ops import BedrockOpsScheduler, ScheduleQuery

__all__ = ["BaseConnector", "BedrockOpsScheduler", "ConnectorResult", "Moment", "ScheduleQuery", "Sources"]
