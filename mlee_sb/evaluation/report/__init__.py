"""The report: tables, plots and figure 3 as one page, Markdown and LaTeX."""
