"""Shipments: JSON that names people; it stays in the lake, and Athena answers."""

from airline_platform.contract.feed import Feed, Rule
from airline_platform.contract.sink import LakeTable, Sum
from airline_platform.contract.table import LANDED_AT, SOURCE_FILE, SOURCE_LINE, Column, Table
from airline_platform.feeds.shared import FILE_DATE

_SHIPPING_ID = Column("shipping_id", "bigint", "Names the shipment.", required=True)
_SHIPPING_DATE = Column("shipping_date", "date", "Day of the shipment.", required=True, separator="/")
_CITY = Column("destination_city", "string", "City it goes to.", required=True, length=100)
_SHIPPING_FACTS = (
    Column("shipping_cost", "decimal", "What the shipping costs, in US dollars.", required=True, minimum=0),
    Column("shipping_distance", "decimal", "How far it goes, in kilometres.", required=True, minimum=0),
    Column("quantity", "decimal", "How much is shipped, in units of the product.", required=True, minimum=0),
    Column("product_id", "bigint", "Names the product.", required=True),
)
_SHIPMENT_COLUMNS = (
    _SHIPPING_ID,
    _SHIPPING_DATE,
    Column("customer_name", "string", "Name of the customer.", length=200, several_lines=True, personal=True),
    Column(
        "street_address",
        "string",
        "Street and number it goes to.",
        length=300,
        several_lines=True,
        personal=True,
    ),
    _CITY,
    *_SHIPPING_FACTS,
)

SHIPMENTS = Feed(
    name="shipments",
    prefix="shipments/",
    noun="shipments",
    columns=_SHIPMENT_COLUMNS,
    format="json",
    rules=(
        Rule(
            r"NOT destination_city RLIKE r'[\p{L}\p{N}]'",
            "destination_city: expected a name with a letter in it",
        ),
    ),
    becomes=LakeTable(
        typed=Table(
            name="shipments_parquet",
            description="One row per landed shipment that is one, with its customer.",
            columns=(FILE_DATE, *_SHIPMENT_COLUMNS, LANDED_AT, SOURCE_FILE, SOURCE_LINE),
            partition_column=FILE_DATE.name,
        ),
        table=Table(
            name="shipments_normalized",
            description="One row per shipment of a day's files, without its customer.",
            columns=(
                FILE_DATE,
                _SHIPPING_ID,
                _SHIPPING_DATE,
                Column("destination_city", "string", "City it goes to, spelled in one way.", required=True),
                *_SHIPPING_FACTS,
                LANDED_AT,
                SOURCE_FILE,
                SOURCE_LINE,
            ),
            partition_column=FILE_DATE.name,
            key=(FILE_DATE.name, _SHIPPING_ID.name),
        ),
        transform="shipments",
        totals="shipping_totals",
        sums=(
            Sum("shipping_cost", "total_cost", "What they cost, in US dollars.", "cost {:,.2f} USD"),
            Sum(
                "shipping_distance",
                "total_distance",
                "How far they go, in kilometres.",
                "distance {:,.1f} km",
            ),
            Sum(
                "quantity",
                "total_quantity",
                "How much is shipped, in units of the products.",
                "quantity {:,.3f}",
            ),
        ),
    ),
    expires=True,
)
