"""How many order texts a second are rendered: python benchmarks/templates.py"""

import time

from bellwire.domain.templates import compile  # noqa: A004

START = "Hi {{ customer.first_name }}, your order {{ order.name }} from {{ shop.name }}"
LOOP = "{% for i in order.line_items %}{{ i.quantity }}x {{ i.title }}{% unless forloop.last %}, {% endunless %}{% endfor %}"
SOURCES = {
    "6 outputs": START + " comes with {{ tracking.company }}: {{ tracking.url }} Total {{ order.total }}",
    "6 outputs, money and date": START
    + " of {{ order.created_at | date }} is on its way: {{ tracking.url }} Total {{ order.total | money: order.currency }}",
    "loop, condition, filters": START
    + ": "
    + LOOP
    + ". {% if tracking.url %}{{ tracking.url }}{% endif %} {{ order.note | default: '' | upcase }}",
}
ORDER = {
    "customer.first_name": "Ana",
    "customer.last_name": "Example",
    "order.name": "#1001",
    "order.number": 1001,
    "order.total": "129.50",
    "order.currency": "EUR",
    "order.created_at": "2026-11-03T15:05:00Z",
    "order.item_count": 3,
    "order.line_items": [{"title": "Mug", "quantity": 2}, {"title": "Cup", "quantity": 1}],
    "order.note": None,
    "shop.name": "Example Shop",
    "tenant.name": "Example",
    "tracking.company": "Carrier",
    "tracking.number": "X1",
    "tracking.url": "https://shop.example/t/1",
}
RENDERS, ROUNDS = 5_000, 5

for label, source in SOURCES.items():
    template = compile(source)
    best = 0.0
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(RENDERS):
            template.render(ORDER, locale="es-CO", timezone="America/Bogota")
        best = max(best, RENDERS / (time.perf_counter() - start))
    print(f"{label:28} {best:9,.0f} renders/s")
