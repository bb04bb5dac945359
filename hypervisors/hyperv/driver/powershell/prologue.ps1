# Rouse's driver on a Windows host with Hyper-V, for Windows PowerShell 5.1. Constant and without a memory; started by the
# bootstrap, one JSON request a line, one answer a line, until stdin ends. What it is asked and answers is in requests.ts.
#
# Values of requests become parameters and paths, and never text that is run. Parameters go by name. Functions that are
# named Invoke-... are operations.

Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
# Modules that are made of CDXML, iSCSI's and storage's, see those of the global scope alone.
$global:ProgressPreference = 'SilentlyContinue'
$global:WarningPreference = 'SilentlyContinue'
$global:ConfirmPreference = 'None'
