"""What is installed into Excel and LibreOffice, and the generator of every derived file."""
