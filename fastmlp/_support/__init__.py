"""What every package uses: checks of arguments, progress, threads, files and optional imports."""
