"""What is in a shopping basket, and what it costs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """A line of the basket."""

    name: str
    category: str
    price: float
    quantity: int = 1

    @property
    def cost(self) -> float:
        """What the line costs."""
        return self.price * self.quantity


def names(items: list[Item]) -> list[str]:
    """Return the names of all items, sorted."""
    return sorted(item.name for item in items)


def cost_by_category(items: list[Item]) -> dict[str, float]:
    """Return for each category what its items cost together."""
    costs: dict[str, float] = {}
    for item in items:
        costs[item.category] = costs.get(item.category, 0.0) + item.cost
    return costs


def most_expensive(items: list[Item]) -> Item:
    """Return the item with the highest price."""
    return max(items, key=lambda item: item.price)
