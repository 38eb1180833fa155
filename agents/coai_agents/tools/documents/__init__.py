"""Documents as text: PDF, DOCX, XLSX and HTML, read in a process of its own with bounds."""
