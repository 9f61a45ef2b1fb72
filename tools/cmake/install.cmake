# Installation comes with the package files.
