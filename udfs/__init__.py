"""What lives beside the workbook and needs no server code: catalogue, client, hosts."""
