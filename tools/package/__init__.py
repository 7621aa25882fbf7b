"""Makes the Debian package, the images of a card, and the list of what is in them (make deb, make image, make sbom)."""
