# The card's page.
