"""The business questions that kai-erp answers."""

from kai_erp.connectors.base import BaseConnector, ConnectorResult, Moment, Sources, Words
from kai_erp.connectors.bedrock_ops import BedrockOpsScheduler, ScheduleQuery
from kai_erp.connectors.customers import CustomerQuery, CustomerSearch
from kai_erp.connectors.inventory import InventoryQuery, InventoryStatus
from kai_erp.connectors.sales_orders import OrdersQuery, SalesOrderTracker
from kai_erp.connectors.sources import LakeSource

__all__ = [
    "BaseConnector",
    "BedrockOpsScheduler",
    "ConnectorResult",
    "CustomerQuery",
    "CustomerSearch",
    "InventoryQuery",
    "InventoryStatus",
    "LakeSource",
    "Moment",
    "OrdersQuery",
    "SalesOrderTracker",
    "ScheduleQuery",
    "Sources",
    "Words",
]
