"""Records: what a row of an answer means."""

from kai_erp.models.customers import Customer, CustomerAddress, CustomersSummary
from kai_erp.models.inventory import InventoryItem, InventorySummary, StockLocation, WarehouseStock
from kai_erp.models.operations import OperationStatus, ScheduledOperation, ScheduleSummary
from kai_erp.models.orders import OrderLine, OrdersSummary, OrderStatus, SalesOrder
from kai_erp.models.result import Caution, Envelope, Meta, UpstreamRead

__all__ = [
    "Caution",
    "Customer",
    "CustomerAddress",
    "CustomersSummary",
    "Envelope",
    "InventoryItem",
    "InventorySummary",
    "Meta",
    "OperationStatus",
    "OrderLine",
    "OrderStatus",
    "OrdersSummary",
    "SalesOrder",
    "ScheduleSummary",
    "ScheduledOperation",
    "StockLocation",
    "UpstreamRead",
    "WarehouseStock",
]
