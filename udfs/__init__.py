"""What lives beside the workbook: the catalogue, the client and the hosts that need no server code."""
