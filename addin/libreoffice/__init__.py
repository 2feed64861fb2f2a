"""The LibreOffice Calc add-in: Python that runs inside LibreOffice, and how it gets there."""
