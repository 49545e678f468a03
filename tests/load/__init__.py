"""How a server holds under a class: sessions that speak as a page does, without a browser."""
